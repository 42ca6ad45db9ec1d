-- Revokes a key; a revoked one keeps its first time.
-- KEYS[1] records    hash of all keys, no TTL
-- KEYS[2] trail      stream of changes, no TTL
-- ARGV[1] by         whose change it is, for the trail; '' for none
-- ARGV[2] id         of the key
-- ARGV[3] expected   version it must be at, '' for any
-- ARGV[4] keeps_admin 1: the last key of all scopes stays
-- Replies the record as stored; nil when no key has this id; 'changed' when it is at another version; 'last_admin'.
local records, trail, by, id = KEYS[1], KEYS[2], ARGV[1], ARGV[2]
local expected, keeps_admin = tonumber(ARGV[3]), ARGV[4] == '1'

local text = redis.call('HGET', records, id)
if not text then return nil end
local record = cjson.decode(text)
if expected and (record.version or 1) ~= expected then return 'changed' end
if record.revokedAt ~= cjson.null then return text end

local time = redis.call('TIME')
local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)
local before = cjson.decode(text)
record.revokedAt = now_ms
record.version = (record.version or 1) + 1
if keeps_admin and leaves_nobody(records, id, before, record, now_ms) then return 'last_admin' end
local before_text = text
text = cjson.encode(record)
redis.call('HSET', records, id, text, '@version', time[1] .. '.' .. time[2] .. '.' .. id)
tell(trail, by, 'key.revoke', id, before_text, text)
return text
