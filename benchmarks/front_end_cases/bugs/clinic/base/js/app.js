// One script for the pages with data on them.
function fillDoctors(select) {
  select.append(new Option('Anyone', ''));
  STAFF.filter((person) => person.books).forEach((person) => select.append(new Option(person.name, person.id)));
}

function showTeam(list) {
  STAFF.forEach((person) => {
    const item = document.createElement('li');
    item.innerHTML = `<strong>${person.name}</strong><p class="role">${person.role}</p><p class="days">${person.days}</p>`;
    list.append(item);
  });
}

function wireBooking(form) {
  fillDoctors(form.querySelector('#doctor'));
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    const name = form.elements.name.value.trim();
    const answer = form.querySelector('#answer');
    answer.textContent = name ? `Thank you, ${name}. We will call you.` : 'Please tell us your name.';
  });
}

const booking = document.getElementById('booking');
if (booking) wireBooking(booking);

const team = document.getElementById('team');
if (team) showTeam(team);
