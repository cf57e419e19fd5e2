import State from '../components/State.jsx';
import { pumps } from '../data.js';

export default function Reports() {
  return (
    <>
      <h1>Reports</h1>
      <table>
        <thead>
          <tr>
            <th>Pump</th>
            <th>Site</th>
            <th>m³/h</th>
            <th>State</th>
          </tr>
        </thead>
        <tbody>
          {pumps.map((pump) => (
            <tr key={pump.id}>
              <td>{pump.id}</td>
              <td>{pump.site}</td>
              <td>{pump.flow}</td>
              <td>
                <State value={pump.state} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </>
  );
}
