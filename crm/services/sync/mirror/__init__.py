"""Our copy of the books: taking records, documents and money facts, wherever they came from."""
