"""Errors that a browser's console reports."""

from playwright.sync_api import ConsoleMessage

# A violation of the content security policy is an error in every browser test, also where the console is silent.
TELL_VIOLATIONS = """addEventListener("securitypolicyviolation", (event) =>
    console.error(`Content Security Policy: ${event.violatedDirective} ${event.blockedURI} ${event.sourceFile}`))"""


def is_error(message: ConsoleMessage) -> bool:
    """Connections that a test cuts are reported as errors too; those are its very subject. So are the pages that
    answer with 404, 422, 429 or 503. A file that is not there is a mistake."""
    if message.type != "error":
        return False
    if "Content Security Policy" in message.text:
        return True
    if "WebSocket" in message.text or "net::ERR" in message.text:
        return False
    is_page = message.location["url"].partition("?")[0].endswith(("/", "/status.json"))
    return not (is_page and message.text.startswith("Failed to load resource"))
