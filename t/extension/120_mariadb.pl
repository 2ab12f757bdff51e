# MariaDB, over the agent: a real server, its catalog, its refusals.
use strict;
use warnings;

use DqdsTest;
use DqdsTest::MariaDb;
use DqdsTest::Sql;
use Test::More;

my $mariadb = DqdsTest::MariaDb->start('shop', sql => <<'SQL');
CREATE DATABASE shop; CREATE DATABASE `Shop 2`;
CREATE TABLE shop.orders (id int AUTO_INCREMENT PRIMARY KEY, name varchar(40) NOT NULL DEFAULT 'x' COMMENT 'who', price decimal(10,2)) COMMENT 'all orders';
CREATE TABLE shop.Orders2 (a int, b int, PRIMARY KEY (b, a));
CREATE VIEW shop.cheap AS SELECT * FROM shop.orders WHERE price < 10;
INSERT INTO shop.orders (name, price) VALUES ('a', 1), ('b', 2);
SQL
my $control = control_server('control');
my $sql     = DqdsTest::Sql->connect($control);
create_connection($control, 'shop', $mariadb->model);
foreach my $q (q(SELECT * FROM dqds_test_connection('shop')), q(SELECT * FROM dqds_list_schemas('shop')), q(SELECT * FROM dqds_list_tables('shop','shop')),
 q(SELECT * FROM dqds_list_columns('shop','shop')), q(SELECT * FROM dqds_diagnose_connection('shop')), q(SELECT * FROM dqds_import_tables('shop','shop')))
{
	my $answer = $sql->query($q);
	note explain [$q, $answer->{error}, $answer->{seconds}, map { join '|', map { $_ // 'NULL' } @$_{ @{ $answer->{columns} } } } @{ $answer->{rows} }];
}
ok(1);
done_testing();
