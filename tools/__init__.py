"""Programs for people who run or develop Tradebook; the application imports none of them."""
