import type { RemoteReport } from '../../pipelines/cache/remote/remote-cache.js';
import { formatBytes } from '../command-line/output.js';
import { formatDuration } from './amounts.js';

/** What a remote cache did for a build, in a line. */
export function remoteText(report: RemoteReport): string {
  const { name, hits, misses, blobs, blobBytes, received, sent, pushed, requests } = report;
  const parts = [`${hits} of ${hits + misses} ${hits + misses === 1 ? 'entry' : 'entries'} found`];
  if (blobs > 0)
    parts.push(`${blobs} ${blobs === 1 ? 'file' : 'files'} of ${formatBytes(blobBytes)} fetched`);
  if (pushed > 0) parts.push(`${pushed} entries pushed in ${formatDuration(report.pushMilliseconds)}`);
  parts.push(`${formatBytes(received)} received and ${formatBytes(sent)} sent in ${requests} requests`);
  if (report.lostMilliseconds >= 1000) parts.push(`${formatDuration(report.lostMilliseconds)} spent on it`);
  return `remote cache ${name}: ${parts.join(', ')}`;
}
