// Marks the line of the opening hours that holds today.
const today = String(new Date().getDay());
document.querySelectorAll('.hours li').forEach((line) => {
  const days = (line.dataset.days || '').split(',');
  if (days.includes(today)) line.classList.add('is-today');
});
