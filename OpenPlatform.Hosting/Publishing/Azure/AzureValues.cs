using Aspire.Hosting;
using OpenPlatform.Hosting.Publishing.Azure.Bicep;

namespace OpenPlatform.Hosting.Publishing.Azure;

/// <summary>A variable of a container app.</summary>
/// <param name="Value">Null: it comes from the vault.</param>
/// <param name="Secret">Its name in the vault.</param>
internal sealed record AppVariable(string Name, ValueModel? Value, string? Secret = null);

/// <summary>A secret of the vault that is made of what whoever deploys supplies.</summary>
internal sealed record VaultSecret(string Name, ValueModel Value);

/// <param name="Name">In the vault.</param>
/// <param name="Value">As the model has it: of a server that nobody manages.</param>
internal sealed record ConnectionSecret(string Name, ServiceModel Server, ValueModel Value);

/// <summary>
/// What the model's values become: Postgres and Redis are managed servers, so their connection strings are made beside them; whatever else holds a
/// secret is a secret of the vault as a whole; everything else is text.
/// </summary>
internal sealed class AzureValues(DeploymentModel model)
{
    private const char Mark = '\u0001';

    /// <summary>What a reference adds to a connection string, each as a variable: <c>CATALOGDB_HOST</c>.</summary>
    private static readonly string[] Parts = ["HOST", "PORT", "USERNAME", "PASSWORD", "URI", "JDBCCONNECTIONSTRING", "DATABASENAME"];

    public static bool IsManaged(ServiceModel service) => service.Kind is ServiceKind.Postgres or ServiceKind.Redis;

    public IEnumerable<ServiceModel> Apps => model.Services.Where(static s => !IsManaged(s));
    public IEnumerable<ServiceModel> Servers => model.Services.Where(IsManaged);

    public IEnumerable<AppVariable> Variables(ServiceModel service)
    {
        if (service.Arguments.Any(static a => a.HasSecret))
        {
            throw new DistributedApplicationException($"An argument of '{service.Name}' holds a secret, which everybody who may read the container app would see; give it as a variable.");
        }

        // The parts of a connection describe a server that is not there: the managed one has another user, another port, another key.
        var parts = service.Environment.Where(v => Server(v.Value) is not null).Select(static v => AzureNames.Connection(v.Name)).OfType<string>().SelectMany(static c => Parts.Select(p => $"{AzureNames.Variable(c)}_{p}")).ToHashSet(StringComparer.Ordinal);
        foreach (var variable in service.Environment.Where(v => v.Name != service.Registration && !parts.Contains(v.Name)))
        {
            yield return Server(variable.Value) is not null
                ? new(variable.Name, null, AzureNames.Connection(variable.Name) is null ? throw Part(service, variable.Name) : AzureNames.ConnectionSecret(variable.Name))
                : variable.Value.Parts is [ParameterPart { Parameter: { Secret: true } alone, Format: null }] ? new(variable.Name, null, AzureNames.Secret(alone))
                : variable.Value.HasSecret ? new(variable.Name, null, AzureNames.Secret(service, variable.Name))
                : new(variable.Name, variable.Value);
        }
    }

    /// <summary>Only what leads to databases: what a migration needs.</summary>
    public IEnumerable<AppVariable> ToDatabases(ServiceModel service) => Variables(service).Where(v => Server(service.Environment.First(e => e.Name == v.Name).Value)?.Kind == ServiceKind.Postgres);

    public IEnumerable<VaultSecret> Secrets() =>
        (from service in Apps
         from variable in Variables(service)
         let name = variable.Secret
         where name is not null
         let value = service.Environment.First(e => e.Name == variable.Name).Value
         where Server(value) is null
         select new VaultSecret(name, value)).DistinctBy(static s => s.Name);

    public IEnumerable<ConnectionSecret> Connections(ServiceModel server) =>
        (from service in Apps
         from variable in Variables(service)
         let name = variable.Secret
         where name is not null
         let value = service.Environment.First(e => e.Name == variable.Name).Value
         where Server(value) == server
         select new ConnectionSecret(name, server, value)).DistinctBy(static s => s.Name);

    /// <summary>What whoever deploys supplies: in the vault's secrets, and the passwords of Postgres. A key of Redis is made by Azure.</summary>
    public IEnumerable<ParameterModel> Supplied() => model.Parameters.Where(p => p.Secret && (Secrets().Any(s => s.Value.Parameters.Contains(p)) || Servers.Any(s => Password(s) == p)));

    /// <summary>Of a Postgres server.</summary>
    public static ParameterModel? Password(ServiceModel server) => server.Environment.FirstOrDefault(static v => v.Name == "POSTGRES_PASSWORD")?.Value.Parameters.FirstOrDefault();

    /// <param name="value">The model's.</param>
    /// <param name="address">Where a service is reached; a host may be an expression.</param>
    /// <param name="literal">Applied to what is known, or null.</param>
    public static BicepValue Render(ValueModel value, Func<EndpointPart, (EndpointPart Part, BicepValue Host, int Port)> address, Func<string, string>? literal = null) =>
        BicepValue.Text([.. value.Parts.SelectMany(part => part switch
        {
            TextPart known => [(BicepValue)(literal?.Invoke(known.Text) ?? known.Text)],
            ParameterPart { Parameter: { Secret: false } given } plain => [plain.Apply(given.Value ?? "")],
            ParameterPart secret => [secret.Format is null ? BicepValue.Symbol(AzureNames.Symbol(secret.Parameter.Name)) : BicepValue.Call("uriComponent", BicepValue.Symbol(AzureNames.Symbol(secret.Parameter.Name)))],
            EndpointPart endpoint => Filled(address(endpoint)),
            _ => throw new NotSupportedException(part.GetType().Name),
        })]);

    /// <summary>
    /// Inside the environment an app is reached by its name: over http at port 80, whatever port its container listens at, otherwise at the port itself. One that is
    /// reached from outside answers to https alone.
    /// </summary>
    /// <param name="domain">Of the environment; null where nothing has to know it.</param>
    public Func<EndpointPart, (EndpointPart, BicepValue, int)> Address(BicepExpression domain) => part =>
    {
        var app = model.Service(part.Service);
        var main = MainEndpoint(app);
        return part.Endpoint != main || main.Transport == "tcp" ? (part, part.Service, part.Endpoint.Port)
            : app.IsExternal ? (part with { Endpoint = part.Endpoint with { Scheme = "https" } }, BicepValue.Text($"{part.Service}.", domain), 443)
            : (part, part.Service, 80);
    };

    /// <summary>The endpoint that the ingress leads to: an external one before others, http before tcp. Null: the service has none.</summary>
    public static EndpointModel? MainEndpoint(ServiceModel service) => service.Endpoints.OrderByDescending(static e => e.IsExternal).ThenBy(static e => e.Transport == "tcp").FirstOrDefault();

    public bool IsCalled(ServiceModel service) => service.IsExternal || model.Flows.Any(f => f.To == service.Name);

    /// <summary>The managed server that a value leads to, or null.</summary>
    private ServiceModel? Server(ValueModel value) =>
        value.Parts.OfType<EndpointPart>().Select(e => model.Service(e.Service)).FirstOrDefault(IsManaged)
        ?? Servers.FirstOrDefault(s => value.Parameters.Any(p => p.Secret && s.Environment.Any(v => v.Value.Parameters.Contains(p))));

    private static IEnumerable<BicepValue> Filled((EndpointPart Part, BicepValue Host, int Port) address)
    {
        var pieces = address.Part.Text(($"{Mark}", address.Port)).Split(Mark);
        yield return pieces[0];
        if (pieces.Length > 1)
        {
            yield return address.Host;
            yield return pieces[1];
        }
    }

    private static DistributedApplicationException Part(ServiceModel service, string variable) =>
        new($"Variable '{variable}' of '{service.Name}' is made of parts of a server that Azure manages and that has others; use its connection string.");
}
