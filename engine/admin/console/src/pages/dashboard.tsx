import { PageHead } from '../components/basics';
export default function Dashboard() { return <PageHead title="Dashboard" />; }
