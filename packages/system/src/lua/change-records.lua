-- Changes records, all or none, and tells the trail of each.
-- KEYS[1] records    hash of all records, no TTL
-- KEYS[2] trail      stream of changes, no TTL
-- ARGV[1] author     JSON: who makes the change
-- ARGV[2] request    id of the request, '' for none
-- ARGV[3] max_fields most fields the hash may hold
-- ARGV[4] max_bytes  most bytes that bodies may hold together
-- ARGV[5] max_trail  entries the trail keeps, about
-- ARGV[...] changes  six each: field; version it is at, 0 when it must not be there; body as text, '' to remove it;
--                    action; before and after as JSON for the trail, '' for none
-- Replies {'done', record ...}, a record as stored and '' for one removed;
-- {'conflict', index ...} of the changes whose version is another, from 0; {'full'}. The last two change nothing.
local records, trail = KEYS[1], KEYS[2]
local author, request = ARGV[1], ARGV[2]
local max_fields, max_bytes, max_trail = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local FIXED, EACH = 5, 6
local count = (#ARGV - FIXED) / EACH

local conflicts, held = { 'conflict' }, {}
local more_bytes, more_fields = 0, 0
for i = 1, count do
  local at = FIXED + (i - 1) * EACH
  local field, expected, body = ARGV[at + 1], tonumber(ARGV[at + 2]), ARGV[at + 3]
  local text = redis.call('HGET', records, field)
  held[i] = text and cjson.decode(text) or nil
  if (text and held[i].version or 0) ~= expected then conflicts[#conflicts + 1] = i - 1 end
  more_bytes = more_bytes + #body - (text and #held[i].body or 0)
  if not text then more_fields = more_fields + 1 end
end
if #conflicts > 1 then return conflicts end
local bytes = tonumber(redis.call('HGET', records, '@bytes') or '0') + more_bytes
if more_bytes > 0 and bytes > max_bytes then return { 'full' } end
if more_fields > 0 and redis.call('HLEN', records) + more_fields > max_fields then return { 'full' } end

local time = redis.call('TIME')
local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)
local reply = { 'done' }
local version
for i = 1, count do
  local at = FIXED + (i - 1) * EACH
  local field, body, action = ARGV[at + 1], ARGV[at + 3], ARGV[at + 4]
  version = redis.call('HINCRBY', records, '@version', 1)
  if body == '' then
    redis.call('HDEL', records, field)
    reply[i + 1] = ''
  else
    local old = held[i]
    local text = cjson.encode({
      version = version,
      createdAt = old and old.createdAt or now_ms,
      createdBy = old and old.createdBy or author,
      changedAt = now_ms,
      changedBy = author,
      body = body,
    })
    redis.call('HSET', records, field, text)
    reply[i + 1] = text
  end
  redis.call('XADD', trail, 'MAXLEN', '~', max_trail, '*', 'author', author, 'action', action, 'target', field,
    'request', request, 'before', ARGV[at + 5], 'after', ARGV[at + 6])
end
-- With the time: a replica that lost the last change counts to the same number again.
redis.call('HSET', records, '@bytes', bytes, '@stamp', time[1] .. '.' .. time[2] .. '.' .. version)
return reply
