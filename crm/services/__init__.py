"""Changes: one function per use case. Services never commit, never import Flask, take actor and clock as arguments."""
