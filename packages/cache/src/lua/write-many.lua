-- Stores many entries in one call: a command each costs the client ten times what it costs Redis.
-- KEYS[...] entries   strings
-- ARGV[...] writes    for each entry its value; its TTL in milliseconds, 0 for ever, -1 what it has; and 'NX', 'XX' or ''
-- Reply: for each entry what SET answers - OK, nil when NX or XX kept it from storing, or its error. On a server that
-- takes no writes that error alone, where the client looks for it to find the new master.
local replies = {}
for at = 1, #KEYS do
  local entry, value, ttl, when = KEYS[at], ARGV[at * 3 - 2], ARGV[at * 3 - 1], ARGV[at * 3]
  local command = {'SET', entry, value}
  if ttl == '-1' then
    command[4] = 'KEEPTTL'
  elseif ttl ~= '0' then
    command[4], command[5] = 'PX', ttl
  end
  if when ~= '' then command[#command + 1] = when end
  local reply = redis.pcall(unpack(command))
  if reply and reply.err and reply.err:find('READONLY', 1, true) then return reply end
  replies[at] = reply
end
return replies
