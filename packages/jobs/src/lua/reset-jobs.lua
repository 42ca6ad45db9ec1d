-- Takes from finished jobs what would end their next run before it begins: lost deliveries, a request to stop, an
-- expiry that has passed.
-- KEYS[1] place       zset of the state they are in
-- KEYS[...] jobs      their hashes
-- ARGV[...] per_job   id, and options as JSON or '' to leave them
-- Replies nothing. A job that has left its place is passed over.
local place = KEYS[1]

for i = 2, #KEYS do
  local job, id, opts = KEYS[i], ARGV[2 * i - 3], ARGV[2 * i - 2]
  if redis.call('ZSCORE', place, id) then
    redis.call('HDEL', job, 'stc', 'defa')
    if opts ~= '' then redis.call('HSET', job, 'opts', opts) end
  end
end
