-- Lets one process at a time look after alerts, and tells it where they stand.
-- KEYS[1] alert_lease  string: who does, expires
-- KEYS[2] alerts       hash: a field each alert and subject
-- ARGV[1] token        of the process that asks
-- ARGV[2] lease_ms     for how long; 0 to give it up
-- Replies nil when another does, or it was given up; else {milliseconds since the epoch, fields and values}.
local alert_lease, alerts = KEYS[1], KEYS[2]
local token, lease_ms = ARGV[1], tonumber(ARGV[2])
local holder = redis.call('GET', alert_lease)
if holder and holder ~= token then return false end
if lease_ms == 0 then
  redis.call('DEL', alert_lease)
  return false
end
redis.call('SET', alert_lease, token, 'PX', lease_ms)
local time = redis.call('TIME')
return { string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000)), redis.call('HGETALL', alerts) }
