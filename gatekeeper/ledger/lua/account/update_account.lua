-- Change what an account is called, where its calls go, or whether it is suspended.
-- KEYS[9] route   KEYS[10] drop message   KEYS[11] members
-- ARGV[5] who did it, '' = the system
-- ARGV[6] default price of a credit, minor units   ARGV[7] currency; both '' where no price changes
-- ARGV[8..] pairs of field and value. Fields of the account's hash: suspended ('1' or ''),
--   price_minor. Fields of the profile: name, email, timezone.
--   And route, drop_message. An empty value removes what was there.
-- Replies {'unknown_account' | 'updated'}
-- A lifted suspension looks at the threshold again, and so does a price at which the spending cap lets
-- another top-off begin. Writes an entry for all that is other than it
-- was, and one for a suspension or its end.
-- With a new email what is stored for the old one as a member goes, with an entry of its own.

local account = read_account()
if not account then return { 'unknown_account' } end
if account.cycle_over then return cycle_over() end
local hash_of = { suspended = ACCOUNT, price_minor = ACCOUNT, name = PROFILE, email = PROFILE,
  timezone = PROFILE }
local text_of = { route = KEYS[9], drop_message = KEYS[10] }
for i = 8, #ARGV, 2 do
  if not hash_of[ARGV[i]] and not text_of[ARGV[i]] then
    return redis.error_reply('update_account: no such field')
  end
  if ARGV[i] == 'price_minor' and ARGV[6] == ''
      and redis.call('HEXISTS', ACCOUNT, 'cap_minor') == 1 then
    return redis.error_reply('update_account: a spending cap needs the default price')
  end
end

-- Replies whether that changed anything.
local function set_field(hash, field, value)
  local before = redis.call('HGET', hash, field) or ''
  if value ~= '' then
    redis.call('HSET', hash, field, value)
  else
    redis.call('HDEL', hash, field)
  end
  return before ~= value
end

local function set_text(key, value)
  local before = redis.call('GET', key) or ''
  if value ~= '' then
    redis.call('SET', key, value)
  else
    redis.call('DEL', key)
  end
  return before ~= value
end

-- A route may hold a secret, and a message is long: of both the log only tells that they changed.
local function told_of(field, value)
  if text_of[field] then return true end
  if field ~= 'price_minor' then return value end
  return tonumber(value) or cjson.null
end

local told, is_described = { by = ARGV[5] }, false
local address = redis.call('HGET', PROFILE, 'email')
for i = 8, #ARGV, 2 do
  local field, value = ARGV[i], ARGV[i + 1]
  local hash, text = hash_of[field], text_of[field]
  local is_other = hash and set_field(hash, field, value) or text and set_text(text, value)
  if is_other and field == 'suspended' then
    append(account, 'account_changed', 0, 0, ID, value == '1' and 'suspended' or 'unsuspended', '',
      cjson.encode({ by = ARGV[5] }))
  elseif is_other then
    told[field], is_described = told_of(field, value), true
  end
end
if is_described then
  append(account, 'account_changed', 0, 0, ID, 'described', '', cjson.encode(told))
end
-- An owner by being the account's address may have chosen e-mails, and so be stored as an owner.
if told.email and address and redis.call('HDEL', KEYS[11], address) == 1 then
  append(account, 'account_changed', 0, 0, address, 'member_removed', '',
    cjson.encode({ by = ARGV[5] }))
end
if redis.call('EXISTS', KEYS[9], KEYS[10]) > 0 then
  redis.call('HSET', ACCOUNT, 'custom', '1')
else
  redis.call('HDEL', ACCOUNT, 'custom')
end
local was_paused = account.suspended or account.capped
account = read_account()
if told.price_minor and ARGV[6] ~= '' then look_at_cap(account, ARGV[6], ARGV[7]) end
if was_paused then look(account) end
return { 'updated' }
