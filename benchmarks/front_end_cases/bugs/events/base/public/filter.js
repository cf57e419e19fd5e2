(() => {
  const chips = document.querySelector('.chips');
  if (!chips) return;

  const rows = [...document.querySelectorAll('.events .event')];

  function show(kind) {
    for (const row of rows) row.hidden = Boolean(kind) && row.dataset.kind !== kind;
    for (const chip of chips.querySelectorAll('.chip')) chip.setAttribute('aria-pressed', String(chip.dataset.kind === kind));
  }

  chips.addEventListener('click', (event) => {
    const chip = event.target;
    if (!chip.matches('.chip')) return;
    const on = chip.getAttribute('aria-pressed') === 'true';
    show(on ? '' : chip.dataset.kind);
  });
})();
