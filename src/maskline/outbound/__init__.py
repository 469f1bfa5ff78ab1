"""The one HTTP client for addresses that other people give: it reaches public places only, and within limits."""
