"""Which properties each entity has: the table behind "unknown property" refusals (code 2010).

Only names, as Intuit's public schema and the recordings use them; a test holds this table against both. Rules about
values (lengths, references, what a query may ask) are in ``sandbox.entities``.
"""

BASE = """
    Id SyncToken MetaData CustomField AttachableRef domain status sparse
"""
NAME = """
    IntuitId Organization Title GivenName MiddleName FamilyName Suffix FullyQualifiedName CompanyName DisplayName
    PrintOnCheckName UserId Active V4IDPseudonym PrimaryPhone AlternatePhone Mobile Fax PrimaryEmailAddr WebAddr
    OtherContactInfo DefaultTaxCodeRef OtherAddr Notes
"""
PLAIN_TXN = """
    DocNumber TxnDate TxnSubType DepartmentRef CurrencyRef ExchangeRate PrivateNote TxnStatus LinkedTxn Line
    TxnTaxDetail TxnSource TaxFormType TaxFormNum TransactionLocationType Tag TxnApprovalInfo RecurDataRef
    RecurringInfo ProjectRef TotalCostAmount HomeTotalCostAmount
"""
TXN = PLAIN_TXN + """
    CustomerRef RemitToRef TotalAmt ARAccountRef PaymentMethodRef PaymentRefNum PaymentType CheckPayment
    CreditCardPayment DepositToAccountRef TaxExemptionRef
"""
SALE = """
    AutoDocNumber CustomerMemo BillAddr ShipAddr FreeFormAddress ShipFromAddr ClassRef SalesTermRef DueDate
    SalesRepRef PONumber FOB ShipMethodRef ShipDate TrackingNum GlobalTaxCalculation HomeTotalAmt
    ApplyTaxAfterDiscount ShippingTaxIncludedInTotalTax TemplateRef PrintStatus EmailStatus BillEmail BillEmailCc
    BillEmailBcc Balance HomeBalance FinanceCharge DeliveryInfo DiscountRate DiscountAmt GovtTxnRefIdentifier
"""
OWN: dict[str, str] = {
    "CompanyInfo": """
        CompanyName LegalName CompanyAddr CustomerCommunicationAddr LegalAddr CompanyEmailAddr
        CustomerCommunicationEmailAddr CompanyURL PrimaryPhone OtherContactInfo CompanyFileName FlavorStratum
        SampleFile CompanyUserId CompanyUserAdminEmail CompanyStartDate EmployerId FiscalYearStartMonth
        TaxYearStartMonth QBVersion Country ShipAddr OtherAddr Mobile Fax Email WebAddr LastImportedTime LastSyncTime
        SupportedLanguages DefaultTimeZone MultiByteCharsSupported NameValue FifoCalculationStatus CompanyInfoEx
    """,
    "Preferences": """
        AccountingInfoPrefs AdvancedInventoryPrefs ProductAndServicesPrefs SalesFormsPrefs EmailMessagesPrefs
        PrintDocumentPrefs VendorAndPurchasesPrefs TimeTrackingPrefs TaxPrefs FinanceChargesPrefs CurrencyPrefs
        ReportPrefs OtherPrefs
    """,
    "Customer": NAME + """
        Taxable BillAddr ShipAddr ContactName AltContactName Job BillWithParent RootCustomerRef ParentRef Level
        CustomerTypeRef SalesTermRef SalesRepRef TaxGroupCodeRef TaxRateRef PaymentMethodRef CCDetail PriceLevelRef
        Balance OpenBalanceDate BalanceWithJobs CreditLimit AcctNum CurrencyRef OverDueBalance TotalRevenue
        TotalExpense PreferredDeliveryMethod ResaleNum JobInfo TDSEnabled CustomerEx SecondaryTaxIdentifier
        ARAccountRef PrimaryTaxIdentifier TaxExemptionReasonId IsProject BusinessNumber GSTIN GSTRegistrationType
        IsCISContractor ClientCompanyId ClientEntityId Source TaxRegime
    """,
    "Vendor": NAME + """
        ContactName AltContactName BillAddr ShipAddr TaxCountry TaxIdentifier TaxIdEffectiveDate BusinessNumber
        ParentRef VendorTypeRef TermRef PrefillAccountRef Balance BillRate OpenBalanceDate CreditLimit AcctNum
        Vendor1099 T4AEligible T5018Eligible CurrencyRef TDSEnabled TDSEntityTypeId TDSSectionTypeId
        TDSOverrideThreshold TaxReportingBasis APAccountRef VendorEx GSTIN GSTRegistrationType IsSubContractor
        SubcontractorType CISRate HasTPAR VendorPaymentBankDetail Source CostRate AgencyVerificationStatus
        AgencyVerificationStatusMsg AgencyVerificationTSUTC CompanyRegistrationNumber
    """,
    "Employee": NAME + """
        EmployeeType EmployeeNumber SSN PrimaryAddr BillableTime BillRate BirthDate Gender HiredDate ReleasedDate
        UseTimeEntry EmployeeEx CostRate
    """,
    "Term": """
        Name Active Type DiscountPercent DueDays DiscountDays DayOfMonthDue DueNextMonthDays DiscountDayOfMonth
        SalesTermEx
    """,
    "CustomerType": """
        Name ParentRef FullyQualifiedName Active
    """,
    "PaymentMethod": """
        Name Active Type PaymentMethodEx
    """,
    "Account": """
        Name SubAccount ParentRef Description FullyQualifiedName AccountAlias TxnLocationType Active Classification
        AccountType AccountSubType AccountPurposes AcctNum AcctNumExtn BankNum OpeningBalance OpeningBalanceDate
        CurrentBalance CurrentBalanceWithSubAccounts CurrencyRef TaxAccount TaxCodeRef OnlineBankingEnabled FIName
        JournalCodeRef AccountEx
    """,
    "TaxCode": """
        Name Description Active Hidden Taxable TaxGroup SalesTaxRateList PurchaseTaxRateList AdjustmentTaxRateList
        TaxCodeEx TaxCodeConfigType
    """,
    "TaxRate": """
        Name Description Active RateValue AgencyRef TaxReturnLineRef EffectiveTaxRate SpecialTaxType DisplayType
        TaxRateEx OriginalTaxRate
    """,
    "Item": """
        Name Sku Description Active SubItem ParentRef Level FullyQualifiedName Taxable SalesTaxIncluded PercentBased
        UnitPrice RatePercent Type PaymentMethodRef UOMSetRef IncomeAccountRef PurchaseDesc PurchaseTaxIncluded
        PurchaseCost ExpenseAccountRef COGSAccountRef AssetAccountRef PrefVendorRef AvgCost TrackQtyOnHand QtyOnHand
        QtyOnPurchaseOrder QtyOnSalesOrder ReorderPoint ManPartNum DepositToAccountRef SalesTaxCodeRef
        PurchaseTaxCodeRef InvStartDate BuildPoint PrintGroupedItems SpecialItem SpecialItemType ItemGroupDetail
        ItemAssemblyDetail AbatementRate ReverseChargeRate ServiceType ItemCategoryType ItemEx TaxClassificationRef
        UQCDisplayText UQCId ClassRef Source DeferredRevenue CustomExtensions
    """,
    "Estimate": TXN + SALE + """
        ExpirationDate AcceptedBy AcceptedDate EstimateEx
    """,
    "Invoice": TXN + SALE + """
        Deposit AllowIPNPayment AllowOnlinePayment AllowOnlineCreditCardPayment AllowOnlineACHPayment
        AllowOnlinePayPalPayment AllowOnlineAffirmPayment EInvoiceStatus ECloudStatusTimeStamp CfdiUse Exportation
        GlobalInfo invoiceStatus callToAction invoiceStatusLog InvoiceEx LessCIS InvoiceLink PaymentDetailsMessage
        ConvenienceFeeDetail EnabledSurchargeInfo InvoiceLinkSecurityCode InvoiceLinkExpiryDate AutoPayEligible
        SchedulePayEligible ScheduledPaymentId GratuityEnabled FinancingProductType SubscriptionPaymentsSetting
        TxnRetainageDetail
    """,
    "Payment": TXN + """
        UnappliedAmt ProcessPayment PaymentExtendedType PaymentEx
    """,
    "CreditMemo": TXN + SALE + """
        RemainingCredit InvoiceRef CreditMemoEx
    """,
    "SalesReceipt": TXN + SALE + """
        SalesReceiptEx LessCIS
    """,
    "RefundReceipt": TXN + SALE + """
        RemainingCredit RefundReceiptEx
    """,
    "Bill": PLAIN_TXN + """
        VendorRef APAccountRef TotalAmt BillEmail ReplyEmail Memo GlobalTaxCalculation PayerRef SalesTermRef DueDate
        RemitToAddr ShipAddr VendorAddr Balance HomeBalance BillEx LessCIS IncludeInAnnualTPAR
    """,
    "BillPayment": PLAIN_TXN + """
        VendorRef VendorAddr APAccountRef PayType CheckPayment CreditCardPayment TotalAmt BillPaymentEx
    """,
    "Deposit": PLAIN_TXN + """
        DepositToAccountRef CashBack GlobalTaxCalculation TotalAmt HomeTotalAmt DepositEx
    """,
    "Attachable": """
        FileName FileAccessUri TempDownloadUri Size ContentType Category Lat Long PlaceName Note Tag
        ThumbnailFileAccessUri ThumbnailTempDownloadUri AttachableEx documentId
    """,
}
NESTED: dict[str, str] = {
    "Line": """
        Id LineNum Description Amount Received LinkedTxn DetailType PaymentLineDetail DiscountLineDetail TaxLineDetail
        SalesItemLineDetail DescriptionLineDetail ItemBasedExpenseLineDetail AccountBasedExpenseLineDetail
        ReimburseLineDetail DepositLineDetail PurchaseOrderItemLineDetail SalesOrderItemLineDetail
        ItemReceiptLineDetail JournalEntryLineDetail GroupLineDetail SubTotalLineDetail TDSLineDetail
        ItemAdjustmentLineDetail CustomField LineEx ProjectRef CostAmount HomeCostAmount CustomExtensions
    """,
    "SalesItemLineDetail": """
        ItemRef ClassRef UnitPrice UnitCostPrice RatePercent PriceLevelRef MarkupInfo Qty UOMRef ItemAccountRef
        InventorySiteRef TaxCodeRef TaxClassificationRef ServiceDate TaxInclusiveAmt DiscountRate DiscountAmt
        DeferredRevenue RetainageAmount SalesItemLineDetailEx
    """,
    "DiscountLineDetail": """
        DiscountRef PercentBased DiscountPercent DiscountAccountRef ServiceDate ClassRef TaxCodeRef
        DiscountLineDetailEx
    """,
    "DescriptionLineDetail": """
        ServiceDate TaxCodeRef DescriptionLineDetailEx
    """,
    "SubTotalLineDetail": """
        ItemRef ServiceDate
    """,
    "GroupLineDetail": """
        GroupItemRef Quantity UOMRef ServiceDate Line GroupLineDetailEx
    """,
    "ItemBasedExpenseLineDetail": """
        ItemRef ClassRef UnitPrice UnitCostPrice RatePercent PriceLevelRef MarkupInfo Qty UOMRef ItemAccountRef
        InventorySiteRef TaxCodeRef TaxClassificationRef CustomerRef BillableStatus TaxInclusiveAmt
        ItemBasedExpenseLineDetailEx
    """,
    "AccountBasedExpenseLineDetail": """
        CustomerRef ClassRef AccountRef BillableStatus MarkupInfo TaxAmount TaxCodeRef TaxInclusiveAmt
        ExpenseDetailLineDetailEx
    """,
    "DepositLineDetail": """
        Entity ClassRef AccountRef PaymentMethodRef CheckNum TxnType TaxCodeRef TaxApplicableOn DepositLineDetailEx
    """,
    "AttachableRef": """
        EntityRef LineInfo IncludeOnSend CustomField AttachableRefEx
    """,
    "ItemGroupDetail": """
        ItemGroupLine
    """,
    "TaxLineDetail": """
        TaxRateRef PercentBased TaxPercent NetAmountTaxable TaxInclusiveAmount OverrideDeltaAmount ServiceDate
        TaxLineDetailEx
    """,
    "TxnTaxDetail": """
        DefaultTaxCodeRef TxnTaxCodeRef TotalTax TaxReviewStatus TaxLine UseAutomatedSalesTax
    """,
    "PhysicalAddress": """
        Id Line1 Line2 Line3 Line4 Line5 City Country CountryCode County CountrySubDivisionCode PostalCode
        PostalCodeSuffix Lat Long Tag Note
    """,
    "TelephoneNumber": """
        Id DeviceType CountryCode AreaCode ExchangeCode Extension FreeFormNumber Default Tag
    """,
    "EmailAddress": """
        Id Address Default Tag
    """,
    "WebSiteAddress": """
        Id URI Default Tag
    """,
    "LinkedTxn": """
        TxnId TxnType TxnLineId
    """,
    "ReferenceType": """
        value name type
    """,
    "CustomField": """
        DefinitionId Name Type StringValue BooleanValue DateValue NumberValue
    """,
    "MemoRef": """
        value id
    """,
}

# Members of an object, by the property that holds it. What is not named here is not checked below its own level.
SHAPES: dict[str, str] = {
    "Line": "Line",
    "SalesItemLineDetail": "SalesItemLineDetail",
    "DiscountLineDetail": "DiscountLineDetail",
    "DescriptionLineDetail": "DescriptionLineDetail",
    "SubTotalLineDetail": "SubTotalLineDetail",
    "GroupLineDetail": "GroupLineDetail",
    "ItemBasedExpenseLineDetail": "ItemBasedExpenseLineDetail",
    "AccountBasedExpenseLineDetail": "AccountBasedExpenseLineDetail",
    "DepositLineDetail": "DepositLineDetail",
    "AttachableRef": "AttachableRef",
    "ItemGroupDetail": "ItemGroupDetail",
    "VendorAddr": "PhysicalAddress",
    "TaxLine": "Line",
    "TaxLineDetail": "TaxLineDetail",
    "TxnTaxDetail": "TxnTaxDetail",
    "LinkedTxn": "LinkedTxn",
    "CustomerMemo": "MemoRef",
    "WebAddr": "WebSiteAddress",
    **dict.fromkeys(("BillAddr", "ShipAddr", "ShipFromAddr", "PrimaryAddr"), "PhysicalAddress"),
    **dict.fromkeys(("CompanyAddr", "LegalAddr", "CustomerCommunicationAddr"), "PhysicalAddress"),
    **dict.fromkeys(("PrimaryPhone", "AlternatePhone", "Mobile", "Fax"), "TelephoneNumber"),
    **dict.fromkeys(("PrimaryEmailAddr", "BillEmail", "BillEmailCc", "BillEmailBcc", "Email"), "EmailAddress"),
}

PROPERTIES: dict[str, frozenset[str]] = {name: frozenset((BASE + own).split()) for name, own in OWN.items()}
MEMBERS: dict[str, frozenset[str]] = {name: frozenset(own.split()) for name, own in NESTED.items()}


def shape_of(prop: str) -> str | None:
    """The type of the object held by ``prop``; every ...Ref is a ReferenceType."""
    if prop in SHAPES:
        return SHAPES[prop]
    return "ReferenceType" if prop.endswith("Ref") else None
