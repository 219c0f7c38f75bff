-- Make somebody a member, or change one. They stand in the index by person already: nobody is a
-- member without standing in that.
-- KEYS[9] members
-- ARGV[5] e-mail address   ARGV[6] what is stored for it   ARGV[7] '1': an owner
-- ARGV[8] how many members there may be   ARGV[9] detail of the entry
-- ARGV[10] what was stored when it was read, or ''   ARGV[11] '1': there must be no such member yet
-- Replies {'unknown_account' | 'set' | 'unchanged' | 'own_address' | 'too_many' | 'changed'}
--   'own_address': it is the account's own, and so stays an owner
--   'changed': other than ARGV[10] is stored by now, or they are a member, but not this one
-- Writes the member, an entry.

local account = read_account()
if not account then return { 'unknown_account' } end
local own = redis.call('HGET', PROFILE, 'email')
local before = redis.call('HGET', KEYS[9], ARGV[5])
if ARGV[11] == '1' and (own == ARGV[5] or before and before ~= ARGV[6]) then return { 'changed' } end
if own == ARGV[5] and ARGV[7] ~= '1' then return { 'own_address' } end
if ARGV[10] ~= '' and own ~= ARGV[5] and before ~= ARGV[10] then return { 'changed' } end
if before == ARGV[6] then return { 'unchanged' } end
local count = redis.call('HLEN', KEYS[9]) + 1 - redis.call('HEXISTS', KEYS[9], own)
if not before and own ~= ARGV[5] and count >= tonumber(ARGV[8]) then return { 'too_many' } end
redis.call('HSET', KEYS[9], ARGV[5], ARGV[6])
append(account, 'account_changed', 0, 0, ARGV[5], 'member_set', '', ARGV[9])
return { 'set' }
