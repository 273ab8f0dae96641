"""From an accepted body to a counted record, for both APIs: publishes, waits until it is counted, issues receipts."""
