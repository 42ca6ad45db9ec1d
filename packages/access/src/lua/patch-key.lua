-- Changes what a patch names of a key that is not revoked.
-- KEYS[1] records    hash of all keys, no TTL
-- KEYS[2] trail      stream of changes, no TTL
-- ARGV[1] by         whose change it is, for the trail; '' for none
-- ARGV[2] id         of the key
-- ARGV[3] expected   version it must be at, '' for any
-- ARGV[4] keeps_admin 1: the last key of all scopes stays one
-- ARGV[5] patch      JSON: members to set
-- Replies the record as stored, or 'unknown', 'ended', 'changed', 'last_admin', which change nothing.
local records, trail, by, id = KEYS[1], KEYS[2], ARGV[1], ARGV[2]
local expected, keeps_admin = tonumber(ARGV[3]), ARGV[4] == '1'
local patch = cjson.decode(ARGV[5])

local before_text = redis.call('HGET', records, id)
if not before_text then return 'unknown' end
local before, after = cjson.decode(before_text), cjson.decode(before_text)
if expected and (before.version or 1) ~= expected then return 'changed' end
if before.revokedAt ~= cjson.null then return 'ended' end

local time = redis.call('TIME')
local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)
for member, value in pairs(patch) do after[member] = value end
after.version = (before.version or 1) + 1
if keeps_admin and leaves_nobody(records, id, before, after, now_ms) then return 'last_admin' end
local text = cjson.encode(after)
redis.call('HSET', records, id, text, '@version', time[1] .. '.' .. time[2] .. '.' .. id)
tell(trail, by, 'key.update', id, before_text, text)
return text
