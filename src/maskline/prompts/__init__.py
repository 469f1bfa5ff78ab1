"""What callers are played: prompts fetched from URLs, and those that come with the service."""
