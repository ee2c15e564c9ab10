// The next step of a deed on many entries follows by itself.

for (const form of document.querySelectorAll("form[data-go-on]")) form.submit();
