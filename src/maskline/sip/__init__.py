"""SIP without I/O: messages, transactions, dialogs, user agent. Knows nothing of masking."""
