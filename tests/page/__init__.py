"""The status page: its charts and templates, and what a browser makes of them."""
