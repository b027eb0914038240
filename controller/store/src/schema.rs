//! The tables, as diesel sees them; the same for both databases.

diesel::table! {
    meta (name) {
        name -> Text,
        value -> Binary,
    }
}

diesel::table! {
    users (id) {
        number -> BigInt,
        id -> Text,
        username -> Text,
        email -> Text,
        first_name -> Text,
        last_name -> Text,
        password_hash -> Text,
        is_superuser -> Bool,
        is_active -> Bool,
        key_generation -> BigInt,
        key_hash -> Nullable<Binary>,
        last_login -> Nullable<Timestamp>,
        date_joined -> Timestamp,
    }
}

diesel::table! {
    keys (uuid) {
        uuid -> Text,
        id -> Text,
        owner -> Text,
        public -> Text,
        fingerprint -> Text,
        created -> Timestamp,
        updated -> Timestamp,
    }
}

diesel::table! {
    apps (id) {
        id -> Text,
        name -> Text,
        owner -> Text,
        structure -> Text,
        desired_generation -> BigInt,
        observed_generation -> BigInt,
        restarts -> Text,
        is_deleting -> Bool,
        created -> Timestamp,
        updated -> Timestamp,
        applied_generation -> BigInt,
    }
}

diesel::table! {
    perms (app, user_id) {
        app -> Text,
        user_id -> Text,
        created -> Timestamp,
    }
}

diesel::table! {
    configs (id) {
        id -> Text,
        app -> Text,
        owner -> Text,
        owner_name -> Text,
        sealed_values -> Binary,
        memory -> Text,
        cpu -> Text,
        tags -> Text,
        sealed_registry -> Binary,
        healthcheck -> Text,
        created -> Timestamp,
        mounts -> Text,
        termination_grace_period -> Text,
        lifecycle_post_start -> Text,
        lifecycle_pre_stop -> Text,
    }
}

diesel::table! {
    builds (id) {
        id -> Text,
        app -> Text,
        owner -> Text,
        owner_name -> Text,
        image -> Text,
        sha -> Text,
        procfile -> Text,
        dockerfile -> Text,
        stack -> Text,
        created -> Timestamp,
        pinned -> Nullable<Text>,
    }
}

diesel::table! {
    releases (id) {
        id -> Text,
        app -> Text,
        owner -> Text,
        owner_name -> Text,
        version -> BigInt,
        summary -> Text,
        config -> Text,
        build -> Nullable<Text>,
        state -> Text,
        exception -> Text,
        deadline -> Nullable<Timestamp>,
        created -> Timestamp,
        updated -> Timestamp,
    }
}

diesel::table! {
    domains (domain) {
        domain -> Text,
        app -> Text,
        owner -> Text,
        owner_name -> Text,
        created -> Timestamp,
        updated -> Timestamp,
        port -> Nullable<Integer>,
    }
}

diesel::table! {
    certs (id) {
        number -> BigInt,
        id -> Text,
        owner -> Text,
        name -> Text,
        chain -> Text,
        sealed_key -> Binary,
        common_name -> Nullable<Text>,
        san -> Text,
        fingerprint -> Text,
        issuer -> Text,
        subject -> Text,
        starts -> Timestamp,
        expires -> Timestamp,
        created -> Timestamp,
        updated -> Timestamp,
    }
}

diesel::table! {
    certs_domains (domain) {
        domain -> Text,
        cert -> Text,
    }
}

diesel::table! {
    settings (app) {
        app -> Text,
        owner -> Text,
        owner_name -> Text,
        maintenance -> Bool,
        routable -> Bool,
        allowlist -> Text,
        autoscale -> Text,
        label -> Text,
        created -> Timestamp,
        updated -> Timestamp,
    }
}

diesel::table! {
    tls (app) {
        app -> Text,
        owner -> Text,
        owner_name -> Text,
        https_enforced -> Nullable<Bool>,
        created -> Timestamp,
        updated -> Timestamp,
        certs_auto_enabled -> Nullable<Bool>,
    }
}

diesel::table! {
    build_logs (id) {
        id -> Text,
        app -> Text,
        owner -> Text,
        owner_name -> Text,
        sha -> Text,
        outcome -> Text,
        log -> Binary,
        created -> Timestamp,
    }
}

diesel::table! {
    events (id) {
        id -> Text,
        actor -> Text,
        action -> Text,
        kind -> Text,
        subject_id -> Text,
        subject_name -> Text,
        before -> Text,
        after -> Text,
        outcome -> Text,
        created -> Timestamp,
    }
}

diesel::table! {
    logins (id) {
        id -> Text,
        owner -> Text,
        token_hash -> Binary,
        created -> Timestamp,
        expires -> Timestamp,
    }
}

diesel::table! {
    request_counts (caller, hour) {
        caller -> Text,
        hour -> BigInt,
        count -> BigInt,
    }
}

diesel::table! {
    dployr_projects (id) {
        id -> Text,
        owner -> Text,
        name -> Text,
        description -> Text,
        created -> Timestamp,
        updated -> Timestamp,
    }
}

diesel::table! {
    dployr_deployments (app) {
        app -> Text,
        owner -> Text,
        project -> Nullable<Text>,
        request -> Text,
        credentials -> Nullable<Binary>,
        status -> Text,
        error -> Text,
        work -> Text,
        attempt -> BigInt,
        last_build -> Text,
        build -> Nullable<Text>,
        release -> Nullable<Text>,
        created -> Timestamp,
        updated -> Timestamp,
        finished -> Nullable<Timestamp>,
        exit_code -> Nullable<BigInt>,
    }
}

diesel::table! {
    dployr_claims (app) {
        app -> Text,
        claim -> Text,
        due -> Timestamp,
        claims -> BigInt,
    }
}

diesel::table! {
    webhooks (id) {
        id -> Text,
        owner -> Text,
        url -> Text,
        events -> Text,
        secret -> Nullable<Binary>,
        is_active -> Bool,
        created -> Timestamp,
        updated -> Timestamp,
    }
}

diesel::table! {
    deliveries (number) {
        number -> BigInt,
        id -> Text,
        kind -> Text,
        target -> Text,
        app -> Text,
        event -> Text,
        content -> Text,
        state -> Text,
        attempts -> BigInt,
        tries -> BigInt,
        due -> Timestamp,
        log -> Text,
        created -> Timestamp,
        finished -> Nullable<Timestamp>,
    }
}

diesel::table! {
    log_lines (number) {
        number -> BigInt,
        app -> Text,
        time -> Timestamp,
        source -> Text,
        text -> Text,
    }
}

diesel::table! {
    services (app, process_type) {
        app -> Text,
        process_type -> Text,
        path_pattern -> Text,
        created -> Timestamp,
        updated -> Timestamp,
    }
}

diesel::table! {
    stops (app, process_type) {
        app -> Text,
        process_type -> Text,
        created -> Timestamp,
    }
}

diesel::table! {
    unhealthy_services (app, process_type) {
        app -> Text,
        process_type -> Text,
        reason -> Text,
        created -> Timestamp,
    }
}

diesel::table! {
    teams (id) {
        id -> Text,
        name -> Text,
        slug -> Text,
        created -> Timestamp,
        created_by -> Text,
        updated -> Timestamp,
        updated_by -> Text,
    }
}

diesel::table! {
    team_members (team, user_id) {
        team -> Text,
        user_id -> Text,
        role -> Text,
        is_active -> Bool,
        created -> Timestamp,
    }
}

diesel::table! {
    team_apps (app) {
        app -> Text,
        team -> Text,
        created -> Timestamp,
        created_by -> Text,
    }
}

// A view: who may use an app beside its owner.
diesel::table! {
    app_users (app, user_id) {
        app -> Text,
        user_id -> Text,
    }
}

diesel::table! {
    team_invitations (team, user_id) {
        team -> Text,
        user_id -> Text,
        email -> Text,
        status -> Text,
        created -> Timestamp,
    }
}

diesel::table! {
    user_tokens (id) {
        id -> Text,
        user_id -> Text,
        name -> Text,
        nonce -> Text,
        created -> Timestamp,
        expires -> Nullable<Timestamp>,
    }
}

diesel::table! {
    browser_sessions (hash) {
        hash -> Binary,
        user_id -> Text,
        created -> Timestamp,
        expires -> Timestamp,
    }
}

diesel::table! {
    oidc_logins (hash) {
        hash -> Binary,
        browser -> Binary,
        sealed_secrets -> Binary,
        return_to -> Text,
        user_id -> Nullable<Text>,
        expires -> Timestamp,
    }
}

diesel::table! {
    oidc_identities (issuer, subject) {
        issuer -> Text,
        subject -> Text,
        user_id -> Text,
        created -> Timestamp,
    }
}

diesel::table! {
    proven_emails (user_id) {
        user_id -> Text,
        email -> Text,
    }
}

diesel::table! {
    sign_up_codes (hash) {
        hash -> Binary,
        user_id -> Text,
        expires -> Timestamp,
    }
}

diesel::table! {
    user_preferences (user_id) {
        user_id -> Text,
        is_onboarding_hidden -> Bool,
    }
}

diesel::table! {
    registries (id) {
        id -> Text,
        team -> Text,
        name -> Text,
        description -> Nullable<Text>,
        icon -> Nullable<Text>,
        kind -> Text,
        url -> Text,
        image_prefix -> Nullable<Text>,
        namespace -> Nullable<Text>,
        api_url -> Nullable<Text>,
        sealed_credentials -> Nullable<Binary>,
        created -> Timestamp,
        created_by -> Text,
        updated -> Timestamp,
        updated_by -> Text,
    }
}

diesel::table! {
    storages (id) {
        id -> Text,
        team -> Text,
        name -> Text,
        description -> Nullable<Text>,
        icon -> Nullable<Text>,
        url -> Text,
        access_key -> Nullable<Text>,
        sealed_secret_key -> Nullable<Binary>,
        created -> Timestamp,
        created_by -> Text,
        updated -> Timestamp,
        updated_by -> Text,
    }
}

diesel::table! {
    notifications (id) {
        id -> Text,
        team -> Text,
        name -> Text,
        kind -> Text,
        sealed_url -> Binary,
        is_active -> Bool,
        events -> Text,
        created -> Timestamp,
        created_by -> Text,
        creator_name -> Text,
        updated -> Timestamp,
        updated_by -> Text,
    }
}

diesel::table! {
    team_audit (number) {
        number -> BigInt,
        team -> Text,
        created -> Timestamp,
        actor_kind -> Text,
        actor_id -> Text,
        actor_name -> Text,
        actor_email -> Text,
        context -> Text,
        method -> Nullable<Text>,
        event -> Text,
        data -> Nullable<Text>,
    }
}

diesel::table! {
    volumes (id) {
        id -> Text,
        app -> Text,
        owner_name -> Text,
        name -> Text,
        size -> Text,
        created -> Timestamp,
        updated -> Timestamp,
    }
}

diesel::table! {
    projects (id) {
        id -> Text,
        team -> Text,
        name -> Text,
        kind -> Text,
        description -> Nullable<Text>,
        created -> Timestamp,
        created_by -> Text,
        updated -> Timestamp,
        updated_by -> Text,
    }
}

diesel::table! {
    versions (id) {
        id -> Text,
        project -> Text,
        name -> Text,
        kind -> Text,
        changelog -> Nullable<Text>,
        is_default -> Bool,
        parent -> Nullable<Text>,
        created -> Timestamp,
        created_by -> Text,
        updated -> Timestamp,
        updated_by -> Text,
    }
}

diesel::table! {
    version_images (id) {
        id -> Text,
        version -> Text,
        registry -> Text,
        name -> Text,
        tag -> Nullable<Text>,
        place -> Integer,
        storage -> Nullable<Text>,
        sealed_config -> Binary,
        created -> Timestamp,
    }
}

diesel::table! {
    nodes (id) {
        id -> Text,
        team -> Text,
        name -> Text,
        description -> Nullable<Text>,
        icon -> Nullable<Text>,
        kind -> Text,
        access -> Text,
        sealed_access -> Nullable<Binary>,
        public_key -> Nullable<Text>,
        sealed_secret_key -> Nullable<Binary>,
        created -> Timestamp,
        created_by -> Text,
        updated -> Timestamp,
        updated_by -> Text,
    }
}

diesel::table! {
    deployments (id) {
        id -> Text,
        team -> Text,
        version -> Text,
        node -> Text,
        prefix -> Text,
        note -> Nullable<Text>,
        status -> Text,
        tries -> Integer,
        sealed_environment -> Binary,
        created -> Timestamp,
        created_by -> Text,
        updated -> Timestamp,
        updated_by -> Text,
    }
}

diesel::table! {
    instances (id) {
        id -> Text,
        deployment -> Text,
        image -> Text,
        storage -> Nullable<Text>,
        sealed_config -> Nullable<Binary>,
        updated -> Timestamp,
    }
}

diesel::table! {
    deployment_events (number) {
        number -> BigInt,
        deployment -> Text,
        attempt -> Integer,
        created -> Timestamp,
        kind -> Text,
        value -> Text,
    }
}

diesel::table! {
    deployment_starts (deployment) {
        deployment -> Text,
        attempt -> Integer,
        actor_kind -> Text,
        actor_id -> Text,
        actor_name -> Text,
        claim -> Nullable<Text>,
        sealed_content -> Binary,
        created -> Timestamp,
    }
}

diesel::table! {
    node_events (number) {
        number -> BigInt,
        node -> Text,
        created -> Timestamp,
        kind -> Text,
        data -> Nullable<Text>,
    }
}

diesel::table! {
    node_installers (node) {
        node -> Text,
        id -> Text,
        kind -> Text,
        script_kind -> Text,
        root_path -> Nullable<Text>,
        acme_email -> Nullable<Text>,
        expires -> Timestamp,
    }
}

diesel::table! {
    platform_names (name) {
        name -> Text,
        app -> Nullable<Text>,
        team -> Nullable<Text>,
        created -> Timestamp,
    }
}

diesel::table! {
    deployment_tokens (id) {
        id -> Text,
        deployment -> Text,
        team -> Text,
        name -> Text,
        nonce -> Text,
        created -> Timestamp,
        expires -> Nullable<Timestamp>,
    }
}

diesel::allow_tables_to_appear_in_same_query!(
    meta,
    users,
    keys,
    apps,
    perms,
    configs,
    builds,
    releases,
    domains,
    certs,
    certs_domains,
    settings,
    tls,
    build_logs,
    events,
    logins,
    request_counts,
    dployr_projects,
    dployr_deployments,
    dployr_claims,
    webhooks,
    deliveries,
    log_lines,
    services,
    stops,
    unhealthy_services,
    teams,
    team_members,
    team_apps,
    app_users,
    team_invitations,
    user_tokens,
    browser_sessions,
    oidc_logins,
    oidc_identities,
    proven_emails,
    sign_up_codes,
    user_preferences,
    registries,
    storages,
    notifications,
    team_audit,
    volumes,
    projects,
    versions,
    version_images,
    nodes,
    deployment_starts,
    deployments,
    instances,
    deployment_events,
    deployment_tokens,
    node_events,
    node_installers,
    platform_names
);
// `users.number` and `certs.number` are what the databases count; everything refers to `id`.
diesel::joinable!(apps -> users (owner));
diesel::joinable!(keys -> users (owner));
diesel::joinable!(certs -> users (owner));
diesel::joinable!(certs_domains -> certs (cert));
diesel::joinable!(certs_domains -> domains (domain));
diesel::joinable!(team_members -> teams (team));
diesel::joinable!(team_members -> users (user_id));
diesel::joinable!(team_invitations -> teams (team));
diesel::joinable!(team_invitations -> users (user_id));
diesel::joinable!(user_tokens -> users (user_id));
diesel::joinable!(browser_sessions -> users (user_id));
diesel::joinable!(oidc_identities -> users (user_id));
diesel::joinable!(proven_emails -> users (user_id));
diesel::joinable!(versions -> projects (project));
diesel::joinable!(version_images -> versions (version));
diesel::joinable!(deployments -> versions (version));
diesel::joinable!(deployments -> nodes (node));
diesel::joinable!(instances -> deployments (deployment));
diesel::joinable!(instances -> version_images (image));
diesel::joinable!(dployr_projects -> users (owner));
diesel::joinable!(dployr_deployments -> apps (app));
