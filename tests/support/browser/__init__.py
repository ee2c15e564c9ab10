"""Helpers of the browser tests: the site, ways to it, browsers, and the looks of a page."""
