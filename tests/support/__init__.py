"""Helpers that several test modules use: servers, processes, visitors, documents, and waiting for a condition."""
