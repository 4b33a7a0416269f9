"""Books kept as a folder of JSON files: a second provider, for developers and for the tests of the port."""
