/**
 * This file owns what an app does when `sluice up` was killed: it ends as if asked to, finishing what runs. Loaded into
 * each app before its own code; the channel to the parent closes however the parent ends.
 */
process.once('disconnect', () => process.kill(process.pid, 'SIGTERM'));
process.channel?.unref();
