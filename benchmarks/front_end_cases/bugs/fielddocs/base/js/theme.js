// Loaded in the head, before the styles, so that there is no flash.
(function () {
  var root = document.documentElement;
  var stored = localStorage.getItem('fieldnote-theme');
  var system = matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light';
  root.dataset.theme = stored || system;

  document.addEventListener('DOMContentLoaded', function () {
    document.querySelector('[data-theme-switch]').addEventListener('click', function () {
      root.dataset.theme = root.dataset.theme === 'dark' ? 'light' : 'dark';
      localStorage.setItem('fieldnote-theme', root.dataset.theme);
    });
  });
})();
