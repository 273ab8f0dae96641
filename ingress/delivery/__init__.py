"""From an accepted body to a counted record, for both APIs: publish, wait until it is counted, receipts."""
