-- Makes a new key in place of another: same label and scopes, as long a life; the old one goes on for a while.
-- KEYS[1] records    hash of all keys, no TTL
-- ARGV[1] id         of the old key
-- ARGV[2] new_id     of the new key
-- ARGV[3] digest     of the new key
-- ARGV[4] pepper     mark of the pepper the digest was made with
-- ARGV[5] overlap_ms how long the old key still works, milliseconds
-- ARGV[6] max_fields most fields the hash may hold
-- Replies the new record as stored, or 'unknown', 'ended', 'full', 'secret_changed'. Nothing is changed by the last four.
local records, id, new_id, digest, pepper = KEYS[1], ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local overlap_ms, max_fields = tonumber(ARGV[5]), tonumber(ARGV[6])

local known_pepper = redis.call('HGET', records, '@pepper')
if known_pepper and known_pepper ~= pepper then return 'secret_changed' end
local text = redis.call('HGET', records, id)
if not text then return 'unknown' end
if redis.call('HLEN', records) >= max_fields then return 'full' end
local old = cjson.decode(text)
local time = redis.call('TIME')
local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)
if old.revokedAt ~= cjson.null or (old.expiresAt ~= cjson.null and old.expiresAt <= now_ms) then return 'ended' end

local new = cjson.decode(text)
new.id, new.digest, new.origin, new.createdAt = new_id, digest, 'made', now_ms
new.replacedBy = cjson.null
if old.expiresAt ~= cjson.null then new.expiresAt = now_ms + old.expiresAt - old.createdAt end
local ends_at = now_ms + overlap_ms
if old.expiresAt == cjson.null or old.expiresAt > ends_at then old.expiresAt = ends_at end
old.replacedBy = new_id

local new_text = cjson.encode(new)
redis.call('HSET', records, id, cjson.encode(old), new_id, new_text)
redis.call('HSET', records, '@version', time[1] .. '.' .. time[2] .. '.' .. new_id)
return new_text
