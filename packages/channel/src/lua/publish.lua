-- Publishes a message to whoever listens, and keeps it for those who come back when asked to.
--
-- KEYS[1] log      stream of kept messages: m the message, n its number since the log began; expires
-- ARGV[1] topic    Pub/Sub channel
-- ARGV[2] message  JSON text
-- ARGV[3] publish  PUBLISH, or SPUBLISH in a Cluster, where the topic has the hash tag of the log
-- ARGV[4] count    how many kept messages remain at least, 0: this one is not kept
-- ARGV[5] keep_ms  how long the log is kept from now at least
--
-- Published: '<id> <id of the kept message before it>\n<message>', or ' \n<message>' when it is not kept.
-- Reply: id of the kept message, '' when it is not kept
local log, topic, message, publish = KEYS[1], ARGV[1], ARGV[2], ARGV[3]
local count, keep = tonumber(ARGV[4]), tonumber(ARGV[5])

local id, before = '', ''
if count > 0 then
  local last = redis.call('XREVRANGE', log, '+', '-', 'COUNT', 1)
  local number = 1
  before = '0-0'
  if last[1] then
    before = last[1][1]
    number = tonumber(last[1][2][4]) + 1
  end
  id = redis.call('XADD', log, 'MAXLEN', '~', count, '*', 'm', message, 'n', string.format('%.0f', number))
  if redis.call('PTTL', log) < keep then redis.call('PEXPIRE', log, keep) end
end
redis.call(publish, topic, id .. ' ' .. before .. '\n' .. message)
return id
