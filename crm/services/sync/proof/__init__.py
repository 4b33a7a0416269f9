"""Our figures against the books' own, to the cent, with the cause of whatever differs."""
