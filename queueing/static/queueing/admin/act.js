// The next step of an act on many entries follows by itself.

for (const form of document.querySelectorAll("form[data-go-on]")) form.submit();
