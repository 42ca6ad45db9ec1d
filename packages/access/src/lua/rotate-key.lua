-- Makes a new key in place of another: same label and scopes, as long a life; the old one goes on for a while.
-- KEYS[1] records    hash of all keys, no TTL
-- KEYS[2] trail      stream of changes, no TTL
-- ARGV[1] by         whose change it is, for the trail; '' for none
-- ARGV[2] id         of the old key
-- ARGV[3] expected   version it must be at, '' for any
-- ARGV[4] new_id     of the new key
-- ARGV[5] digest     of the new key
-- ARGV[6] pepper     mark of the pepper the digest was made with
-- ARGV[7] overlap_ms how long the old key still works, milliseconds
-- ARGV[8] max_fields most fields the hash may hold
-- Replies the new record as stored, or 'unknown', 'changed', 'ended', 'full', 'secret_changed'. Nothing is changed
-- by the last five.
local records, trail, by, id = KEYS[1], KEYS[2], ARGV[1], ARGV[2]
local expected, new_id, digest, pepper = tonumber(ARGV[3]), ARGV[4], ARGV[5], ARGV[6]
local overlap_ms, max_fields = tonumber(ARGV[7]), tonumber(ARGV[8])

local known_pepper = redis.call('HGET', records, '@pepper')
if known_pepper and known_pepper ~= pepper then return 'secret_changed' end
local text = redis.call('HGET', records, id)
if not text then return 'unknown' end
if redis.call('HLEN', records) >= max_fields then return 'full' end
local old = cjson.decode(text)
local time = redis.call('TIME')
local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)
if expected and (old.version or 1) ~= expected then return 'changed' end
if old.revokedAt ~= cjson.null or old.isActive == false or (old.expiresAt ~= cjson.null and old.expiresAt <= now_ms) then return 'ended' end

local new = cjson.decode(text)
new.id, new.digest, new.origin, new.createdAt = new_id, digest, 'made', now_ms
new.replacedBy = cjson.null
new.version = 1
if old.expiresAt ~= cjson.null then new.expiresAt = now_ms + old.expiresAt - old.createdAt end
local ends_at = now_ms + overlap_ms
if old.expiresAt == cjson.null or old.expiresAt > ends_at then old.expiresAt = ends_at end
old.replacedBy = new_id
old.version = (old.version or 1) + 1

local new_text = cjson.encode(new)
local old_text = cjson.encode(old)
redis.call('HSET', records, id, old_text, new_id, new_text)
redis.call('HSET', records, '@version', time[1] .. '.' .. time[2] .. '.' .. new_id)
tell(trail, by, 'key.create', new_id, nil, new_text)
tell(trail, by, 'key.rotate', id, text, old_text)
return new_text
