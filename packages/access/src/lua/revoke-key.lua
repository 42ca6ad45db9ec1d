-- Revokes a key; a revoked one keeps its first time.
-- KEYS[1] records    hash of all keys, no TTL
-- ARGV[1] id         of the key
-- Replies the record as stored, or nil when no key has this id.
local records, id = KEYS[1], ARGV[1]

local text = redis.call('HGET', records, id)
if not text then return nil end
local record = cjson.decode(text)
if record.revokedAt ~= cjson.null then return text end

local time = redis.call('TIME')
record.revokedAt = time[1] * 1000 + math.floor(time[2] / 1000)
text = cjson.encode(record)
redis.call('HSET', records, id, text, '@version', time[1] .. '.' .. time[2] .. '.' .. id)
return text
