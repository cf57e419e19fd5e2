(() => {
  const read = () => JSON.parse(localStorage.getItem('saved') || '[]');
  const write = (slugs) => localStorage.setItem('saved', JSON.stringify(slugs));

  const button = document.querySelector('[data-save]');
  if (button) {
    const slug = button.dataset.save;
    const label = () => { button.textContent = read().includes(slug) ? 'Saved' : 'Save'; };
    button.addEventListener('click', () => {
      const slugs = read();
      write(slugs.includes(slug) ? slugs.filter((s) => s !== slug) : [...slugs, slug]);
      label();
    });
    label();
  }

  const list = document.getElementById('saved');
  if (list) {
    const slugs = read();
    for (const row of list.children) row.hidden = !slugs.includes(row.dataset.slug);
    document.getElementById('nothing').hidden = slugs.length > 0;
  }
})();
