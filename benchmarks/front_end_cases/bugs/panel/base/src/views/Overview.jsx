import Bars from '../components/Bars.jsx';
import { days, pumps, week } from '../data.js';

export default function Overview() {
  const running = pumps.filter((pump) => pump.state === 'running');
  return (
    <>
      <h1>Overview</h1>
      <div className="figures">
        <div className="figure">
          <b>{running.length}</b> pumps running
        </div>
        <div className="figure">
          <b>{running.reduce((sum, pump) => sum + pump.flow, 0)}</b> m³ per hour
        </div>
      </div>
      <h2>Last week</h2>
      <Bars values={week} labels={days} />
    </>
  );
}
