-- What the scripts that may end a key share: whether somebody is left who may do everything.

local function is_admin(record, now_ms)
  if record.revokedAt ~= cjson.null or record.isActive == false then return false end
  if record.expiresAt ~= cjson.null and record.expiresAt <= now_ms then return false end
  for _, scope in ipairs(record.scopes) do
    if scope == '*' then return true end
  end
  return false
end

-- Whether this change takes the last key of all scopes away, now or by an expiry that it did not have.
local function leaves_nobody(records, id, before, after, now_ms)
  if not is_admin(before, now_ms) then return false end
  local ends_later = before.expiresAt == cjson.null and after.expiresAt ~= cjson.null
  if is_admin(after, now_ms) and not ends_later then return false end
  local all = redis.call('HGETALL', records)
  for i = 1, #all, 2 do
    local field, text = all[i], all[i + 1]
    local is_other = field ~= id and string.sub(field, 1, 1) ~= '@' and string.find(text, '"*"', 1, true)
    if is_other and is_admin(cjson.decode(text), now_ms) then return false end
  end
  return true
end
