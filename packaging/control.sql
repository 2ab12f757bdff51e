-- control.sql: the control database of `make run`. Run at every start, by the superuser, in the database "dqds".
-- psql variables: model, the connection model of the sample source as JSON text; mariadb, that of the MariaDB, empty if there is none.
\set ON_ERROR_STOP on
SET client_min_messages = warning;
BEGIN;

CREATE EXTENSION IF NOT EXISTS dqds;

-- Requests without a token run as dqds_anonymous; dqds_bridge may do no more than become it.
SELECT to_regrole('dqds_anonymous') IS NULL AS first_time \gset
\if :first_time
    CREATE ROLE dqds_anonymous NOLOGIN;
    CREATE ROLE dqds_bridge LOGIN NOINHERIT IN ROLE dqds_anonymous;
\endif
SELECT dqds_grant('editor', 'dqds_anonymous');

SELECT EXISTS (SELECT FROM dqds_connections WHERE connection_name = 'sample_connection') AS registered \gset
\if :registered
    -- The sample's port may be another one than at the last start.
    SELECT dqds_update_connection('sample_connection', :'model');
\else
    SELECT dqds_create_connection('sample_connection', :'model');
\endif
SELECT dqds_grant_connection('sample_connection', 'dqds_anonymous');

SELECT :'mariadb' <> '' AS there, EXISTS (SELECT FROM dqds_connections WHERE connection_name = 'sample_mariadb') AS registered \gset
\if :there
    \if :registered
        SELECT dqds_update_connection('sample_mariadb', :'mariadb');
    \else
        SELECT dqds_create_connection('sample_mariadb', :'mariadb');
    \endif
    SELECT dqds_grant_connection('sample_mariadb', 'dqds_anonymous');
\endif

COMMIT;
