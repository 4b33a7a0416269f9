"""QuickBooks Online: the accounting port spoken to Intuit's REST API, version 3."""
