import { esc } from '../lib/html.js';

export const layout = (title, main) => `<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <title>${esc(title)} | Canal Town</title>
  <link rel="icon" href="data:,">
  <link rel="stylesheet" href="/public/style.css">
</head>
<body>
  <header class="head">
    <b>Canal Town</b>
    <nav><a href="/">What is on</a> <a href="/saved">Saved</a></nav>
  </header>
  <main>${main}</main>
  <script src="/public/saved.js"></script>
  <script src="/public/filter.js"></script>
</body>
</html>`;
