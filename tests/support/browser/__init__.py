"""What the browser tests use: the site, ways to it, browsers, and how a page looks."""
