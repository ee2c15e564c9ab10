// Copying a result's text: the button names the element in data-copy, and says for a moment whether it worked.

const SHOWN_FOR = 2_000; // milliseconds

export async function copyText(button, voice) {
  const { textContent } = document.querySelector(button.dataset.copy);
  // Browsers have no clipboard for a page without https, and may refuse it to any page.
  const done = await navigator.clipboard?.writeText(textContent).then(
    () => "Copied",
    () => "",
  );
  button.dataset.label ??= button.textContent;
  button.textContent = done || "Please select it by hand";
  voice.say(button.textContent);
  setTimeout(() => {
    button.textContent = button.dataset.label;
  }, SHOWN_FOR);
}
