-- Judges a presented token and does one deed with its session: the only place where a token is found to be live.
--
-- KEYS[1] session   hash of the session
-- KEYS[2] user      hash: born, generation, and 's:<id>' = expiry in ms of each session; outlives them all
-- ARGV[1] deed      look | touch | save | rotate | end | revoke_others
-- ARGV[2] id        the session's id
-- ARGV[3] hash      keyed hash of the presented token
-- ARGV[...] more    touch: every_ms, idle_ms ('' unchanged)
--                   save: version ('' whichever), data, idle_ms ('' unchanged)
--                   rotate: hash of the next token, overlap_ms
--                   revoke_others: memory_ms
--
-- Reply: {'live', expiry, version, created, seen, ends, about, data ('' after a save), {ids that the deed ended}}
--        {'absent'}             not listed, expired, of a past generation, or not this session's token
--        {'reused'}             replaced by another token, and the overlap is over
--        {'superseded'}         rotate: replaced already, the overlap still runs
--        {'conflict', version}  save: another version is stored
local session_key, user_key = KEYS[1], KEYS[2]
local deed, id, hash = ARGV[1], ARGV[2], ARGV[3]
local listing = 's:' .. id

local function text(number) return string.format('%.0f', number) end

local stored = redis.call('HMGET', session_key, 'hash', 'generation', 'version', 'created', 'seen', 'idle', 'ends',
  'about', 'data')
local user = redis.call('HMGET', user_key, 'born', 'generation', listing)
if not stored[1] or not user[3] then return { 'absent' } end

local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local expiry = tonumber(user[3])
if expiry <= now or stored[2] ~= user[1] .. '.' .. user[2] then return { 'absent' } end

local is_superseded = false
if stored[1] ~= hash then
  local before = redis.call('HMGET', session_key, 'previous', 'overlap_ends')
  if before[1] ~= hash then return { 'absent' } end
  if tonumber(before[2]) <= now then return { 'reused' } end
  is_superseded = true
end

local version, created, seen, about, data = stored[3], stored[4], stored[5], stored[8], stored[9]
local idle, ends = tonumber(stored[6]), tonumber(stored[7])
local function renew(new_idle)
  idle = new_idle or idle
  expiry = math.min(now + idle, ends)
  seen = text(now)
  redis.call('HSET', session_key, 'seen', seen, 'idle', text(idle))
  redis.call('PEXPIREAT', session_key, text(expiry))
  redis.call('HSET', user_key, listing, text(expiry))
  if redis.call('PTTL', user_key) < expiry - now then redis.call('PEXPIREAT', user_key, text(expiry)) end
end

local ended = {}
if deed == 'touch' then
  -- A session with a short idle timeout is renewed more often, or use would not keep it alive.
  local every, new_idle = math.min(tonumber(ARGV[4]), idle / 4), tonumber(ARGV[5])
  if now - tonumber(seen) >= every or (new_idle and new_idle ~= idle) then renew(new_idle) end
elseif deed == 'save' then
  if ARGV[4] ~= '' and ARGV[4] ~= version then return { 'conflict', version } end
  version = text(tonumber(version) + 1)
  redis.call('HSET', session_key, 'version', version, 'data', ARGV[5])
  data = ''
  renew(tonumber(ARGV[6]))
elseif deed == 'rotate' then
  if is_superseded then return { 'superseded' } end
  redis.call('HSET', session_key, 'hash', ARGV[4], 'previous', hash, 'overlap_ends', text(now + tonumber(ARGV[5])))
  renew()
elseif deed == 'end' then
  redis.call('DEL', session_key)
  redis.call('HDEL', user_key, listing)
  if user[2] == '0' and redis.call('HLEN', user_key) == 2 then redis.call('DEL', user_key) end
  ended[1] = id
elseif deed == 'revoke_others' then
  local generation = text(tonumber(user[2]) + 1)
  local listed = redis.call('HKEYS', user_key)
  for at = 1, #listed do
    local other = string.match(listed[at], '^s:(.+)$')
    if other and other ~= id then
      ended[#ended + 1] = other
      redis.call('HDEL', user_key, listed[at])
    end
  end
  redis.call('HSET', user_key, 'generation', generation)
  redis.call('HSET', session_key, 'generation', user[1] .. '.' .. generation)
  local memory = tonumber(ARGV[4])
  if redis.call('PTTL', user_key) < memory then redis.call('PEXPIRE', user_key, text(memory)) end
end

return { 'live', text(expiry), version, created, seen, stored[7], about, data, ended }
