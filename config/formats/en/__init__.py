"""The formats of the pages for staff."""
