"""What several test modules use: servers, processes, visitors, documents, and waiting for something to be true."""
