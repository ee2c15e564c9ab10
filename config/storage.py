"""Static files as a deployed site serves them: minified, compressed, under names that change with their content."""

from collections.abc import Callable

from django.core.files.base import ContentFile, File
from rcssmin import cssmin
from rjsmin import jsmin
from whitenoise.storage import CompressedManifestStaticFilesStorage

OURS = "queueing/"  # the files of Django's admin are served as they are
MINIFIERS: dict[str, Callable[[str], str]] = {".js": jsmin, ".css": cssmin}


class MinifiedStaticFilesStorage(CompressedManifestStaticFilesStorage):
    """Removes comments, and rewrites the imports of JavaScript modules to hashed names.

    Comments are a third of our scripts. They are removed when files are collected, so nobody has to keep them short.
    Without rewritten imports, a module would import the others by plain names, which browsers do not keep for ever:
    after a release, a page could mix old and new modules.
    """

    support_js_module_import_aggregation = True

    def _save(self, name: str, content: "File[bytes]") -> str:
        """Save a collected file or its hashed copy. Both come here, each with comments."""
        if name.startswith(OURS):
            for ending, minify in MINIFIERS.items():
                if name.endswith(ending):
                    whole = b"".join(content.chunks())  # from the start, wherever the file was read to
                    content = ContentFile(minify(whole.decode()).encode())
        return str(super()._save(name, content))
