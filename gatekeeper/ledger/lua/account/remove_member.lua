-- Take a member away, with what was chosen for them.
-- KEYS[9] members
-- ARGV[5] e-mail address   ARGV[6] detail of the entry
-- Replies {'unknown_account' | 'removed' | 'own_address' | 'no_member'}
--   'own_address': it is the account's own, and so stays an owner
-- Writes an entry.

local account = read_account()
if not account then return { 'unknown_account' } end
-- The account's address may be changed just now: then what is stored for the old one is that of a
-- member like any other.
if redis.call('HGET', PROFILE, 'email') == ARGV[5] then return { 'own_address' } end
if redis.call('HDEL', KEYS[9], ARGV[5]) == 0 then return { 'no_member' } end
append(account, 'account_changed', 0, 0, ARGV[5], 'member_removed', '', ARGV[6])
return { 'removed' }
