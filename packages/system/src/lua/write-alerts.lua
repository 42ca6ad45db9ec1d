-- Writes where alerts stand, unless another process looks after them by now.
-- KEYS[1] alert_lease  string: who does
-- KEYS[2] alerts       hash: a field each alert and subject
-- ARGV[1] token        of the process that writes
-- ARGV[...] fields     two each: field, and its value or '' to forget it
-- Replies 1, or 0 when the lease is another's: then nothing is changed.
local alert_lease, alerts = KEYS[1], KEYS[2]
if redis.call('GET', alert_lease) ~= ARGV[1] then return 0 end
for i = 2, #ARGV, 2 do
  if ARGV[i + 1] == '' then
    redis.call('HDEL', alerts, ARGV[i])
  else
    redis.call('HSET', alerts, ARGV[i], ARGV[i + 1])
  end
end
return 1
